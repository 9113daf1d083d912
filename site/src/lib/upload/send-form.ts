import { problemFromText, type ShownProblem } from '#lib/problem.ts';

export type Sent =
  { readonly ok: true; readonly reply: unknown } | { readonly ok: false; readonly problem: ShownProblem };

/**
 * Posts a form with progress (fetch cannot report it). One at a time; `signal` aborts it, and the hub keeps nothing of a broken upload.
 * `progress` runs from 0 to 1; at 1 the bytes are there and the answer is awaited.
 */
export function sendForm(
  url: string,
  form: FormData,
  options: { progress: (share: number) => void; fallback: string; signal?: AbortSignal },
): Promise<Sent> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.setRequestHeader('accept', 'application/json');
    request.upload.onprogress = (event) => options.progress(event.lengthComputable ? event.loaded / event.total : 0);
    request.upload.onload = () => options.progress(1);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve({ ok: true, reply: JSON.parse(request.responseText) });
      else resolve({ ok: false, problem: problemFromText(request.responseText, request.status, options.fallback) });
    };
    request.onerror = () =>
      resolve({ ok: false, problem: { code: 'unavailable', status: 503, title: options.fallback, errors: [] } });
    options.signal?.addEventListener('abort', () => request.abort());
    request.send(form);
  });
}
