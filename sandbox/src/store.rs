//! In-memory objects: one revision that counts every change, list pages at one revision,
//! and a bounded history of changes for watches.
//!
//! It knows nothing about permissions or the validity of objects. Objects are shared and
//! never changed in place, so that a snapshot is cheap regardless of their number.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use crate::resource::{KEPT, Kind};

/// How many changes of each kind are kept for watches.
const REMEMBERED: usize = 8192;
/// For each kind, how many paged lists keep their revision at the same time.
const SNAPSHOTS: usize = 16;
/// How long a paged list stays available: the compaction interval of the real server's etcd.
const SNAPSHOT_AGE: SignedDuration = SignedDuration::from_mins(5);

/// An object, shared by everyone who reads it.
pub type Object = Arc<Value>;
/// An object's key: its namespace (empty if cluster-scoped) and its name.
pub type Key = (String, String);
/// All objects of one kind.
pub type Objects = BTreeMap<Key, Object>;

/// What happened to an object.
#[derive(Debug, Clone)]
pub struct Change {
    /// The revision that it created.
    pub revision: u64,
    /// The object before, unless this change created it.
    pub before: Option<Object>,
    /// The object after, unless this change removed it.
    pub after: Option<Object>,
}

/// A watch cannot start that far back, or a list cannot continue that long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOld {
    /// The oldest revision that is still available.
    pub oldest: u64,
}

struct Table {
    objects: Arc<Objects>,
    /// The revision of the last change.
    changed: u64,
    changes: VecDeque<Change>,
    /// `changes` contains everything that happened after this revision.
    remembered_after: u64,
    snapshots: VecDeque<(u64, Timestamp, Arc<Objects>)>,
    announced: watch::Sender<u64>,
}

impl Table {
    fn new(objects: Arc<Objects>, revision: u64) -> Self {
        Self {
            objects,
            changed: revision,
            changes: VecDeque::new(),
            remembered_after: revision,
            snapshots: VecDeque::new(),
            announced: watch::Sender::new(revision),
        }
    }
}

/// The content of a store at one moment.
#[derive(Debug, Clone)]
pub struct Image {
    revision: u64,
    tables: [Arc<Objects>; KEPT],
}

impl Image {
    /// The revision of the last change in it.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The objects of a kind.
    pub fn objects(&self, kind: Kind) -> &Objects {
        &self.tables[kind as usize]
    }
}

/// Exclusive access to the tables of a store.
pub struct Tables {
    revision: u64,
    tables: [Table; KEPT],
}

/// All tables.
pub struct Store(Mutex<Tables>);

impl Default for Store {
    fn default() -> Self {
        // Real clusters never show a revision this low, and 0 has a special meaning.
        let image = Image { revision: 1, tables: std::array::from_fn(|_| Arc::default()) };
        Self::from(image)
    }
}

impl From<Image> for Store {
    fn from(Image { revision, tables }: Image) -> Self {
        let tables = tables.map(|objects| Table::new(objects, revision));
        Self(Mutex::new(Tables { revision, tables }))
    }
}

impl Store {
    /// Keeps everyone else out until the guard is dropped.
    pub fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its current content.
    pub fn image(&self) -> Image {
        let tables = self.lock();
        Image {
            revision: tables.revision,
            tables: std::array::from_fn(|kind| Arc::clone(&tables.tables[kind].objects)),
        }
    }
}

impl Tables {
    /// The revision of the last change of any kind.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The revision of the last change of a kind.
    pub fn changed(&self, kind: Kind) -> u64 {
        self.tables[kind as usize].changed
    }

    /// All objects of a kind, as they are now.
    pub fn objects(&self, kind: Kind) -> &Arc<Objects> {
        &self.tables[kind as usize].objects
    }

    /// One object.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Object> {
        // A borrowed pair is not a `&Key`, and this is not a hot path.
        self.objects(kind).get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Stores an object, new or not, and stamps it with the new revision.
    pub fn put(&mut self, kind: Kind, key: Key, mut object: Value) -> Object {
        self.revision += 1;
        stamp(&mut object, self.revision);
        let object = Arc::new(object);
        let before = Arc::make_mut(&mut self.tables[kind as usize].objects).insert(key, Arc::clone(&object));
        let change = Change { revision: self.revision, before, after: Some(Arc::clone(&object)) };
        self.remember(kind, change);
        object
    }

    /// Removes an object; returns it, at the revision of its removal.
    pub fn remove(&mut self, kind: Kind, key: &Key) -> Option<Object> {
        let before = Arc::make_mut(&mut self.tables[kind as usize].objects).remove(key)?;
        self.revision += 1;
        let removed = at(&before, self.revision);
        self.remember(kind, Change { revision: self.revision, before: Some(before), after: None });
        Some(removed)
    }

    fn remember(&mut self, kind: Kind, change: Change) {
        let table = &mut self.tables[kind as usize];
        table.changed = change.revision;
        table.announced.send_replace(change.revision);
        table.changes.push_back(change);
        if table.changes.len() > REMEMBERED
            && let Some(forgotten) = table.changes.pop_front()
        {
            table.remembered_after = forgotten.revision;
        }
    }

    /// Drops the history and all pages, as a compaction does: older watches and lists end with
    /// 410.
    pub fn compact(&mut self) {
        for table in &mut self.tables {
            table.changes.clear();
            table.snapshots.clear();
            table.remembered_after = self.revision;
        }
    }

    /// Subscribes to the changes of a kind.
    pub fn announcements(&self, kind: Kind) -> watch::Receiver<u64> {
        self.tables[kind as usize].announced.subscribe()
    }

    /// The changes after a revision, at most `limit`.
    ///
    /// # Errors
    /// The history does not go back that far.
    pub fn changes_after(&self, kind: Kind, revision: u64, limit: usize) -> Result<Vec<Change>, TooOld> {
        let table = &self.tables[kind as usize];
        if revision < table.remembered_after {
            return Err(TooOld { oldest: table.remembered_after });
        }
        let first = table.changes.partition_point(|change| change.revision <= revision);
        Ok(table.changes.iter().skip(first).take(limit).cloned().collect())
    }

    /// All objects of a kind as they were at a revision, if that is still available.
    pub fn objects_at(&self, kind: Kind, revision: u64, now: Timestamp) -> Option<Arc<Objects>> {
        let table = &self.tables[kind as usize];
        if revision >= table.changed && revision <= self.revision && revision >= table.remembered_after {
            return Some(Arc::clone(&table.objects));
        }
        let snapshot = table.snapshots.iter().find(|(at, ..)| *at == revision);
        snapshot
            .filter(|(_, made, _)| now.duration_since(*made) < SNAPSHOT_AGE)
            .map(|(.., all)| Arc::clone(all))
    }

    /// Keeps the current objects of a kind, for the next page.
    pub fn keep_for_paging(&mut self, kind: Kind, now: Timestamp) {
        let revision = self.revision;
        let table = &mut self.tables[kind as usize];
        if table.snapshots.iter().any(|(at, ..)| *at == revision) {
            return;
        }
        if table.snapshots.len() == SNAPSHOTS {
            table.snapshots.pop_front();
        }
        table.snapshots.push_back((revision, now, Arc::clone(&table.objects)));
    }
}

fn stamp(object: &mut Value, revision: u64) {
    object["metadata"]["resourceVersion"] = Value::String(revision.to_string());
}

/// An object with another resource version.
pub fn at(object: &Value, revision: u64) -> Object {
    let mut object = object.clone();
    stamp(&mut object, revision);
    Arc::new(object)
}

/// The objects of a kind in a namespace, or all; only those after a key, if one is given.
pub fn within<'a>(
    objects: &'a Objects,
    namespace: &str,
    after: Option<&Key>,
) -> impl Iterator<Item = (&'a Key, &'a Object)> {
    let first = (namespace.to_owned(), String::new());
    let start = match after {
        Some(key) if *key >= first => Bound::Excluded(key.clone()),
        _ => Bound::Included(first),
    };
    let namespace = namespace.to_owned();
    objects
        .range((start, Bound::Unbounded))
        .take_while(move |(key, _)| namespace.is_empty() || key.0 == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(name: &str) -> Key {
        ("n".to_owned(), name.to_owned())
    }

    #[test]
    fn a_page_shows_the_state_at_the_start_of_the_list() {
        let store = Store::default();
        let now = Timestamp::now();
        let mut tables = store.lock();
        tables.put(Kind::Pod, key("a"), json!({}));
        let began = tables.revision();
        tables.keep_for_paging(Kind::Pod, now);
        tables.put(Kind::Pod, key("b"), json!({}));
        let names = |objects: &Objects| objects.keys().map(|(_, name)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&tables.objects_at(Kind::Pod, began, now).expect("kept")), ["a"]);
        assert_eq!(names(tables.objects(Kind::Pod)), ["a", "b"]);
        assert!(tables.objects_at(Kind::Pod, began, now + SNAPSHOT_AGE).is_none());
        tables.compact();
        assert!(tables.objects_at(Kind::Pod, began, now).is_none());
    }

    #[test]
    fn changes_are_reported_and_dropped_in_order() {
        let store = Store::default();
        let mut tables = store.lock();
        let began = tables.revision();
        tables.put(Kind::Pod, key("a"), json!({}));
        tables.put(Kind::Lease, key("other"), json!({}));
        tables.put(Kind::Pod, key("a"), json!({"x": 1}));
        let removed = tables.remove(Kind::Pod, &key("a")).expect("it is there");
        assert_eq!(removed["metadata"]["resourceVersion"], tables.revision().to_string());
        assert!(tables.remove(Kind::Pod, &key("a")).is_none());
        let changes = tables.changes_after(Kind::Pod, began, 9).expect("remembered");
        let said: Vec<_> =
            changes.iter().map(|c| (c.revision - began, c.before.is_some(), c.after.is_some())).collect();
        assert_eq!(said, [(1, false, true), (3, true, true), (4, true, false)]);
        for n in 0..REMEMBERED {
            tables.put(Kind::Pod, key("b"), json!({"n": n}));
        }
        let oldest = tables.changes_after(Kind::Pod, began, 9).expect_err("forgotten").oldest;
        assert_eq!(
            tables.changes_after(Kind::Pod, oldest, usize::MAX).expect("remembered").len(),
            REMEMBERED
        );
        assert_eq!(tables.changes_after(Kind::Lease, began, 9).expect("remembered").len(), 1);
    }

    #[test]
    fn a_store_restored_from_an_image_continues_its_revisions() {
        let store = Store::default();
        store.lock().put(Kind::Pod, key("a"), json!({"metadata": {"uid": "u"}}));
        let image = store.image();
        store.lock().put(Kind::Pod, key("b"), json!({}));
        let again = Store::from(image);
        let mut tables = again.lock();
        assert_eq!(tables.objects(Kind::Pod).len(), 1);
        let kept = tables.get(Kind::Pod, "n", "a").expect("kept").clone();
        assert_eq!(kept["metadata"]["uid"], "u");
        let next = tables.put(Kind::Pod, key("c"), json!({}));
        assert_eq!(next["metadata"]["resourceVersion"], (2 + 1).to_string());
    }

    #[test]
    fn a_namespace_selects_a_part_of_all_objects() {
        let mut objects = Objects::new();
        for (namespace, name) in [("a", "x"), ("b", "x"), ("b", "y"), ("c", "x")] {
            objects.insert((namespace.into(), name.into()), Arc::new(json!({})));
        }
        let names = |namespace: &str, after: Option<(&str, &str)>| {
            let after = after.map(|(ns, name)| (ns.to_owned(), name.to_owned()));
            within(&objects, namespace, after.as_ref())
                .map(|(k, _)| format!("{}/{}", k.0, k.1))
                .collect::<Vec<_>>()
        };
        assert_eq!(names("", None).len(), 4);
        assert_eq!(names("b", None), ["b/x", "b/y"]);
        assert_eq!(names("b", Some(("b", "x"))), ["b/y"]);
        assert_eq!(names("b", Some(("a", "x"))), ["b/x", "b/y"]);
        assert_eq!(names("", Some(("b", "y"))), ["c/x"]);
        assert!(names("b", Some(("c", "x"))).is_empty());
    }
}
