import type { Me } from '@trainyard/plugin-sdk/api';
import type { HubClient } from '@trainyard/plugin-sdk/client';
import type { Locale } from '#lib/i18n/locales.ts';
import type { ShownProblem } from '#lib/problem.ts';

declare global {
  namespace App {
    interface Error {
      problem?: ShownProblem;
    }
    interface Locals {
      hub: HubClient;
      theme: string;
      locale: Locale;
    }
    interface PageData {
      me?: Me;
    }
  }
}

export {};
