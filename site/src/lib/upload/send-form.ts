import { problemFromText, type ShownProblem } from '#lib/problem.ts';

export type Sent =
  { readonly ok: true; readonly reply: unknown } | { readonly ok: false; readonly problem: ShownProblem };

export interface Sending {
  /** From 0 to 1; at 1 the bytes are there and the answer is awaited. */
  readonly progress: (share: number) => void;
  readonly fallback: string;
  /** Aborts it; the hub keeps nothing of a broken upload. */
  readonly signal?: AbortSignal;
}

/** Posts a form with progress (fetch cannot report it). One at a time. */
export function sendForm(url: string, form: FormData, options: Sending): Promise<Sent> {
  return send(url, form, options);
}

/** Posts the bytes of one file with progress. One at a time. */
export function sendFile(url: string, file: Blob, options: Sending): Promise<Sent> {
  return send(url, file, options, 'application/octet-stream');
}

function send(url: string, body: FormData | Blob, options: Sending, type?: string): Promise<Sent> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.setRequestHeader('accept', 'application/json');
    if (type !== undefined) request.setRequestHeader('content-type', type);
    request.upload.onprogress = (event) => options.progress(event.lengthComputable ? event.loaded / event.total : 0);
    request.upload.onload = () => options.progress(1);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve({ ok: true, reply: JSON.parse(request.responseText) });
      else resolve({ ok: false, problem: problemFromText(request.responseText, request.status, options.fallback) });
    };
    request.onerror = () =>
      resolve({ ok: false, problem: { code: 'unavailable', status: 503, title: options.fallback, errors: [] } });
    options.signal?.addEventListener('abort', () => request.abort());
    request.send(body);
  });
}
