import Ban from '@lucide/svelte/icons/ban';
import Check from '@lucide/svelte/icons/check';
import CircleDashed from '@lucide/svelte/icons/circle-dashed';
import Clock from '@lucide/svelte/icons/clock';
import LoaderCircle from '@lucide/svelte/icons/loader-circle';
import Minus from '@lucide/svelte/icons/minus';
import Pause from '@lucide/svelte/icons/pause';
import Square from '@lucide/svelte/icons/square';
import TriangleAlert from '@lucide/svelte/icons/triangle-alert';
import X from '@lucide/svelte/icons/x';

export type Tone = 'good' | 'warn' | 'bad' | 'idle' | 'accent';

export interface StateLook {
  readonly tone: Tone;
  readonly icon: typeof Check;
  readonly turning?: boolean;
}

const LOOKS: Readonly<Record<string, StateLook>> = {
  // releases
  draft: { tone: 'idle', icon: CircleDashed },
  submitted: { tone: 'warn', icon: Clock },
  validating: { tone: 'warn', icon: LoaderCircle, turning: true },
  rejected: { tone: 'bad', icon: X },
  discarded: { tone: 'idle', icon: Minus },
  quarantined: { tone: 'bad', icon: Ban },
  published: { tone: 'good', icon: Check },
  deprecated: { tone: 'warn', icon: TriangleAlert },
  yanked: { tone: 'bad', icon: Ban },
  // runs and jobs
  queued: { tone: 'warn', icon: Clock },
  claimed: { tone: 'warn', icon: Clock },
  preparing: { tone: 'warn', icon: LoaderCircle, turning: true },
  running: { tone: 'warn', icon: LoaderCircle, turning: true },
  stopping: { tone: 'warn', icon: Square },
  paused: { tone: 'idle', icon: Pause },
  succeeded: { tone: 'good', icon: Check },
  failed: { tone: 'bad', icon: X },
  cancelled: { tone: 'idle', icon: Ban },
  stopped: { tone: 'idle', icon: Square },
  lost: { tone: 'bad', icon: X },
  // stages and findings
  waiting: { tone: 'idle', icon: CircleDashed },
  passed: { tone: 'good', icon: Check },
  skipped: { tone: 'idle', icon: Minus },
  error: { tone: 'bad', icon: X },
  warning: { tone: 'warn', icon: TriangleAlert },
  recommendation: { tone: 'idle', icon: Minus },
  // capabilities
  proven: { tone: 'good', icon: Check },
  declared: { tone: 'idle', icon: CircleDashed },
  refuted: { tone: 'bad', icon: X },
  // datasets, exports, agents
  building: { tone: 'warn', icon: LoaderCircle, turning: true },
  ready: { tone: 'good', icon: Check },
  broken: { tone: 'bad', icon: X },
  active: { tone: 'good', icon: Check },
  archived: { tone: 'idle', icon: Minus },
  online: { tone: 'good', icon: Check },
  draining: { tone: 'warn', icon: Clock },
  offline: { tone: 'idle', icon: CircleDashed },
  revoked: { tone: 'idle', icon: Ban },
  expired: { tone: 'idle', icon: Clock },
};

/** Colour and icon of a state word; an unknown word is quiet, never an error. */
export function stateLook(state: string): StateLook {
  return LOOKS[state] ?? { tone: 'idle', icon: CircleDashed };
}
