import { defineEnvVars } from '@sveltejs/kit/env';

export const variables = defineEnvVars({
  HUB_URL: {
    description: 'Address of the hub as the site server reaches it, for example http://127.0.0.1:4100.',
    schema: (value: string | undefined): string => (value ?? 'http://127.0.0.1:4100').replace(/\/+$/, ''),
  },
});
