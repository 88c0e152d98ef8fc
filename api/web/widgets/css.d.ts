/** A style sheet as text: the bundle has it in. */
declare module "*.css" {
  const text: string;
  export default text;
}
