/** What a close code means to a client. */
export declare const CLOSE_NORMAL = 1000;
export declare const CLOSE_ABNORMAL = 1006;
export declare const CLOSE_TOKEN_EXPIRED = 4001;
export declare const CLOSE_BAD_TOKEN = 4500;
export declare const CLOSE_REVOKED = 4503;
/**
 * Whether a client may come back after this close code.
 * @param {number} code
 */
export declare function mayReturn(code: number): boolean;
