/** Addresses in the form `host:port`. */

export interface HostPort {
  /** Without brackets; empty if none is given. */
  host: string;
  port: number;
}

/** `10.0.0.5:9099`, `[::1]:9099`, `:9099`; undefined for anything else. Ports are 0 to 65,535. */
export function hostPort(text: string): HostPort | undefined {
  const [, v6, name, digits] = /^(?:\[([\da-f:.]+)\]|([^\s:/[\]]*)):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  return digits === undefined || port > 65_535 ? undefined : { host: v6 ?? name ?? '', port };
}
