/** [latitude, longitude] in degrees. */
export type Point = [number, number];

/** The corners of a cell, five to ten, not closed. */
export function cellToBoundary(cell: string): Point[];

export function cellToLatLng(cell: string): Point;
