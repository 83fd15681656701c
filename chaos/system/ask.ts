/** Requests of JSON or text to an admin port: supervisor, controller, sidecar, relay, service. */
import { boundedText } from '../../base/bounded-answer.js';
import { exitCode, UserError, whyUnanswered } from '../../base/errors.js';

interface AskOptions {
  method?: string;
  body?: unknown;
  timeoutMs?: number;
}

export const askJson = async <T>(url: string, options: AskOptions = {}): Promise<T> =>
  JSON.parse(await askText(url, options)) as T;

/** A refusal or a missing answer is an error that names the address. */
export async function askText(url: string, options: AskOptions = {}): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: options.method ?? 'GET',
      signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    });
    text = await boundedText(response);
  } catch (error) {
    throw new Unreachable(`${url} does not answer: ${whyUnanswered(error)}`);
  }
  if (!response.ok) {
    throw new UserError(
      `${options.method ?? 'GET'} ${url} answered ${response.status}: ${reasonIn(text).slice(0, 300)}`,
      exitCode.environment,
    );
  }
  return text;
}

/** Our admin ports answer `{"error": REASON}`, and so does a toxiproxy. */
function reasonIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Another text is told as it is.
  }
  return text.trim();
}

/** Nobody listens at the address (any more). */
export class Unreachable extends UserError {
  constructor(message: string) {
    super(message, exitCode.environment);
  }
}
