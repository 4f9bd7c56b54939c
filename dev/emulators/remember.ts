/** Sets a key, and deletes the oldest one past the limit, so that a long benchmark fits into memory. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, limit: number): void {
  map.set(key, value);
  if (map.size > limit) map.delete(map.keys().next().value as K);
}
