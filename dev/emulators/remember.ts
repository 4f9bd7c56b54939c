/** Sets a key and forgets the oldest one beyond the limit, so that a long benchmark fits in memory. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, limit: number): void {
  map.set(key, value);
  if (map.size > limit) map.delete(map.keys().next().value as K);
}
