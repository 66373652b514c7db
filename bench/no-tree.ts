/**
 * Loaded before the program (`node --import`), so that it runs without the tree: the module that follows the ledger is replaced by one that
 * does nothing. The product has no switch for it.
 */
import { registerHooks } from 'node:module';

const FOLLOWER = /\/src\/tree\/follower\.ts$/;

const NO_TREE = `
  export async function openTree() {
    const none = async () => [];
    return {
      head: () => ({ size: 0, root: '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' }),
      status: () => ({ bytes: 0, fault: null }),
      size: () => 0,
      root: async () => '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
      tile: async () => null,
      inclusion: none,
      consistency: none,
      pin: async () => {},
      scrub: async () => ({ tiles: 0, lost: 0 }),
      failed: new Promise(() => {}),
      close: async () => {},
    };
  }
`;

registerHooks({
  load(url, context, nextLoad) {
    return FOLLOWER.test(url) ? { format: 'module', source: NO_TREE, shortCircuit: true } : nextLoad(url, context);
  },
});
