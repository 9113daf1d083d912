import type { Tone } from './state-look.ts';

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: Tone;
}

let next = 1;
/** Newest last; each leaves by itself after six seconds. */
export const toasts = $state<Toast[]>([]);

export function say(text: string, tone: Tone = 'idle'): void {
  const id = next++;
  toasts.push({ id, text, tone });
  setTimeout(() => dismiss(id), 6000);
}

export function dismiss(id: number): void {
  const index = toasts.findIndex((toast) => toast.id === id);
  if (index >= 0) toasts.splice(index, 1);
}
