import type { ProblemDocument } from '@trainyard/plugin-sdk';

/** A Problem as pages show it; plain data, so it travels from load functions and actions. */
export interface ShownProblem {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail?: string | undefined;
  readonly fix?: string | undefined;
  readonly errors: readonly {
    readonly where: string;
    readonly code: string;
    readonly message: string;
    readonly fix?: string | undefined;
    readonly pointer?: string | undefined;
  }[];
  readonly requestId?: string | undefined;
}

export function shownProblem(document: ProblemDocument): ShownProblem {
  return {
    code: document.code,
    status: document.status,
    title: document.title,
    detail: document.detail,
    fix: document.fix,
    requestId: document.instance,
    errors: (document.errors ?? []).map((error) => ({
      where:
        error.file === undefined
          ? (error.pointer ?? '')
          : error.line === undefined
            ? error.file
            : `${error.file}:${error.line}`,
      code: error.code,
      message: error.message,
      fix: error.fix,
      pointer: error.pointer,
    })),
  };
}

/** What a failed fetch of the browser says: the hub's problem when it sent one. */
export function problemFromText(text: string, status: number, fallback: string): ShownProblem {
  try {
    const document: unknown = JSON.parse(text);
    if (isProblemDocument(document)) return shownProblem(document);
  } catch {
    // Not JSON: a proxy answered, or the connection broke.
  }
  return { code: 'unavailable', status, title: fallback, errors: [] };
}

function isProblemDocument(value: unknown): value is ProblemDocument {
  return typeof value === 'object' && value !== null && 'code' in value && 'title' in value && 'status' in value;
}

/** What a form action failed with. */
export function shownFailure(data: unknown): ShownProblem | undefined {
  if (typeof data !== 'object' || data === null || !('problem' in data)) return undefined;
  const { problem } = data;
  return isShown(problem) ? problem : undefined;
}

function isShown(value: unknown): value is ShownProblem {
  return typeof value === 'object' && value !== null && 'code' in value && 'title' in value && 'errors' in value;
}
