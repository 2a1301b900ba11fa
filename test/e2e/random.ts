/** Numbers that only look random: the same seed gives the same ones, so that a failure can be run again. */
export interface Random {
  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number;
}

/** A linear congruential generator with the constants of Numerical Recipes, its low bits thrown away. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(limit) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    },
  };
}
