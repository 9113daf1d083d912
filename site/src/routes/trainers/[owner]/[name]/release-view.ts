import type { ReleaseDetail } from '@trainyard/plugin-sdk/api';

/** A release as the tabs get it: its long texts travel apart, and only for the tab that shows them. */
export type ReleaseView = Omit<ReleaseDetail, 'readme' | 'changelog' | 'manifest'>;
