/** The postmortem, with its open points in the margin; editable if the console was started with --allow-edits. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LeftToDo, PostmortemView } from '../postmortem.js';
import { hello } from './drill-state.js';
import { plural } from '../../runbooks/words.js';
import { From } from './source.js';

export function Postmortem() {
  const [edited, setEdited] = useState<PostmortemView | undefined>(undefined);
  return (
    <div class="page">
      <h1>Postmortem</h1>
      {edited ? (
        <Editor view={edited} done={() => setEdited(undefined)} />
      ) : (
        <From<PostmortemView> from="postmortem" everyMs={5000}>
          {(view) => <Read view={view} edit={() => setEdited(view)} />}
        </From>
      )}
    </div>
  );
}

const leftText = (problems: readonly LeftToDo[]): string =>
  problems.length === 0
    ? 'nothing is left to fill or to mend.'
    : `${plural(problems.length, 'place is', 'places are')} left to fill or to mend.`;

function Read({ view, edit }: { view: PostmortemView; edit: () => void }) {
  const { file, blocks, problems } = view;
  return (
    <>
      <p class="soft">
        {file}: {leftText(problems)}{' '}
        {hello.value.mayEdit ? (
          <button onClick={edit}>Edit</button>
        ) : (
          'Edit the file, and this page follows it; or start the console with --allow-edits.'
        )}
      </p>
      {blocks.map(({ line, html }, i) => {
        const end = blocks[i + 1]?.line ?? Infinity;
        const own = problems.filter((p) => p.line >= line && p.line < end);
        return (
          <div class="with-margin" key={line}>
            <section class="document">
              <div dangerouslySetInnerHTML={{ __html: html }} />
            </section>
            <Margin problems={own} />
          </div>
        );
      })}
    </>
  );
}

function Margin({ problems, go }: { problems: readonly LeftToDo[]; go?: (line: number) => void }) {
  return (
    <ul class="margin" aria-label="what is left">
      {problems.map((p) => (
        <li key={`${p.line} ${p.text}`}>
          {go ? <button onClick={() => go(p.line)}>line {p.line}</button> : `line ${p.line}`}:{' '}
          {p.text}
        </li>
      ))}
    </ul>
  );
}

/** The text is linted again after this time without a key press. */
const restMs = 400;

const posted = (path: string, body: unknown): Promise<Response | undefined> =>
  fetch(path, { method: 'POST', body: JSON.stringify(body) }).catch(() => undefined);

function Editor({ view, done }: { view: PostmortemView; done: () => void }) {
  const [text, setText] = useState(view.text);
  const [problems, setProblems] = useState<readonly LeftToDo[]>(view.problems);
  const [said, setSaid] = useState('');
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (text === view.text) return undefined;
    let over = false;
    const timer = setTimeout(async () => {
      const answer = await posted('/lint', { text });
      if (!over && answer?.ok) setProblems((await answer.json()) as LeftToDo[]);
    }, restMs);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [text]);
  const save = async (): Promise<void> => {
    const answer = await posted('/postmortem', { text, was: view.hash });
    if (answer?.ok) return done();
    setSaid(
      answer ? `Not saved: ${await answer.text()}` : 'Not saved: the console does not answer.',
    );
  };
  const leave = (): void => {
    if (text === view.text || confirm('Leave without saving?')) done();
  };
  const go = (line: number): void => {
    const own = area.current;
    if (!own) return;
    const lines = text.split('\n');
    const at = lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
    own.focus();
    own.setSelectionRange(at, at + (lines[line - 1]?.length ?? 0));
    own.scrollTop = ((line - 3) / lines.length) * own.scrollHeight;
  };
  return (
    <>
      <p class="soft">
        {view.file}: {leftText(problems)} <button onClick={() => void save()}>Save</button>{' '}
        <button onClick={leave}>Leave</button> <span role="status">{said}</span>
      </p>
      <div class="with-margin">
        <textarea
          ref={area}
          class="editor"
          aria-label="the postmortem, in Markdown"
          spellcheck
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <Margin problems={problems} go={go} />
      </div>
    </>
  );
}
