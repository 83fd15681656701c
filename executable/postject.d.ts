/** The package brings no types. */
declare module 'postject' {
  /** Adds `resource` to the program `file` as a note `name`, and turns the fuse that says so. */
  export function inject(
    file: string,
    name: string,
    resource: Buffer,
    options: { sentinelFuse: string },
  ): Promise<void>;
}
