//! A map in shards: a clone is cheap, and a change copies one shard and not the map.

use std::{collections::BTreeMap, sync::Arc};

/// Shards of a map: with 50,000 entries each has about 200.
const SHARDS: usize = 256;

/// What tells the shard of a key.
pub(super) trait Spread {
    /// Any number, spread well over its lowest bits.
    fn spread(&self) -> usize;
}

/// An ordered map whose clones share what neither has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shards<K, V> {
    shards: Vec<Arc<BTreeMap<K, V>>>,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Arc::default()).collect() }
    }
}

impl<K: Ord + Clone + Spread, V: Clone> Shards<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.shards.get(key.spread() % SHARDS)?.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if let Some(shard) = self.shards.get_mut(key.spread() % SHARDS) {
            Arc::make_mut(shard).insert(key, value);
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let shard = self.shards.get_mut(key.spread() % SHARDS)?;
        if shard.contains_key(key) { Arc::make_mut(shard).remove(key) } else { None }
    }

    /// Everything, in no order that means something.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Spread for usize {
        fn spread(&self) -> usize {
            *self
        }
    }

    #[test]
    fn a_clone_keeps_what_it_had_and_shares_the_rest() {
        let mut map: Shards<usize, &str> = Shards::default();
        (0..1_000).for_each(|key| map.insert(key, "old"));
        let before = map.clone();
        map.insert(7, "new");
        assert_eq!(map.remove(&8), Some("old"));
        assert_eq!((before.get(&7), before.get(&8), before.len()), (Some(&"old"), Some(&"old"), 1_000));
        assert_eq!((map.get(&7), map.get(&8), map.len()), (Some(&"new"), None, 999));
        let shared = map.shards.iter().zip(&before.shards).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, SHARDS - 2);
    }
}
