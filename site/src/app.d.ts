import type { Me } from '@trainyard/plugin-sdk/api';
import type { HubClient } from '@trainyard/plugin-sdk/client';
import type { ShownProblem } from '#lib/problem.ts';

declare global {
  namespace App {
    interface Error {
      problem?: ShownProblem;
    }
    interface Locals {
      hub: HubClient;
      theme: string;
    }
    interface PageData {
      me?: Me;
    }
  }
}

export {};
