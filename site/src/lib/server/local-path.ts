/** Address to go to after signing in: only paths of this site, never another host. */
export function localPath(text: string | null | undefined): string {
  return text != null && /^\/(?![/\\])/.test(text) ? text : '/';
}
