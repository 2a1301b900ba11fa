import { it } from 'vitest';
import { startPair } from '../support/pair.js';
it('x', async () => {
  for (const t of ['1', '3']) {
    const pair = await startPair({ server: { config: { 'shutdown-timeout': t } } });
    await pair.east.waitForLog(/^active/);
    await new Promise((r) => setTimeout(r, 2000));
    const a = Date.now();
    await pair.west.server.halt();
    console.log('shutdown-timeout', t, 'took', Date.now() - a);
    await pair.close();
  }
}, 60000);
