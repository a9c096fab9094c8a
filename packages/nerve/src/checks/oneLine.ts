/** Text of others on one line: what a command prints is not trusted with the terminal. */
export function oneLine(text: string): string {
  return text.trim().replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
