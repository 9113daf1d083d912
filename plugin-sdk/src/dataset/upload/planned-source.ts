/** The planned dataset as a source, and findings in the words of the upload. */
import type { DatasetSource } from '../dataset-source.ts';
import { sha256 } from '../../digest.ts';
import type { Finding } from '../../finding.ts';
import { findingOf } from '../reading.ts';
import type { UploadPlan } from './upload-plan.ts';

/** `upload` gives files under the paths of the upload, `root` included. */
export function plannedSource(plan: UploadPlan, upload: DatasetSource, root: string): DatasetSource {
  function made(path: string): Uint8Array | null {
    const text = plan.made.get(path);
    return text === undefined ? null : new TextEncoder().encode(text);
  }
  async function through<T>(
    path: string,
    own: (bytes: Uint8Array) => T,
    ask: (at: string) => Promise<T | null>,
  ): Promise<T | null> {
    const bytes = made(path);
    if (bytes !== null) return own(bytes);
    const from = plan.from.get(path);
    return from === undefined ? null : ask(`${root}${from}`);
  }
  return {
    read: (path) =>
      through(
        path,
        (bytes) => bytes,
        (at) => upload.read(at),
      ),
    ends: (path) =>
      through(
        path,
        (bytes) => ({ head: bytes, tail: bytes.subarray(-64) }),
        (at) => upload.ends(at),
      ),
    digest: (path) =>
      through(
        path,
        (bytes) => sha256(bytes),
        (at) => upload.digest(at),
      ),
  };
}

/** The folder that the plan took off. */
export function rootOf(plan: UploadPlan): string {
  for (const [path, word] of plan.words) {
    const from = plan.from.get(path);
    if (from !== undefined && word.endsWith(from)) return word.slice(0, word.length - from.length);
  }
  return '';
}

/** A person knows the paths of his archive, not ours. */
export async function inWordsOfUpload(plan: UploadPlan, finding: Finding): Promise<Finding> {
  const { file = '', line, pointer } = finding.where ?? {};
  const list = plan.made.get(file);
  if (list !== undefined && file.endsWith('.txt') && line !== undefined) {
    const image = list.split('\n')[line - 1] ?? '';
    const word = plan.words.get(image) ?? image;
    return { ...finding, where: plan.named.get(image) ?? { file: word }, message: translated(plan, finding.message) };
  }
  const origin = pointer === undefined ? null : await plan.origin(file, pointer);
  const word = plan.words.get(file) ?? file;
  return { ...finding, where: origin ?? { ...finding.where, file: word }, message: translated(plan, finding.message) };
}

function translated(plan: UploadPlan, message: string): string {
  return message.replaceAll(
    /(?:images|labels|masks|annotations|train|val|test)\/(?:[^/\s]+\/)*.*?\.(?:png|jpe?g|webp|bmp|txt|json)(?=[\s.,"]|$)/gi,
    (path) => plan.words.get(path) ?? path,
  );
}

export function notesOf(plan: UploadPlan): Finding[] {
  return plan.notes.map((note) => findingOf(note));
}
