/**
 * Names of which no two are equal, in the same order: what comes again gets a number, as in `http-2`. A name that only
 * one has stays as it is.
 */
export function distinctNames(names: readonly string[]): readonly string[] {
  const given = new Set(names);
  const taken = new Set<string>();
  return names.map((name) => {
    let distinct = name;
    for (let n = 2; taken.has(distinct) || (distinct !== name && given.has(distinct)); n += 1)
      distinct = `${name}-${n}`;
    taken.add(distinct);
    return distinct;
  });
}
