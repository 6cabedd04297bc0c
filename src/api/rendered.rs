//! Objects as JSON, kept beside the decoded records that they were made of: a list shows the same few again and again, and writing
//! one out costs more than finding it.
//!
//! A record that is shared is never changed, so that its JSON is right for as long as the very same record is asked for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::view;
use crate::domain::object::Object;

/// The most bytes of JSON that are kept. At the bound all is forgotten, and made again.
const KEPT_BYTES: usize = 4 << 20;
/// The longest JSON that is kept: what is longer is rare.
const LONGEST: usize = 8 << 10;

/// What is kept.
#[derive(Default)]
pub struct Rendered {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    texts: HashMap<Uuid, (Arc<Object>, Arc<[u8]>)>,
    bytes: usize,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Rendered(..)")
    }
}

impl Rendered {
    /// Writes objects to the end of `out`, with a comma between them.
    ///
    /// # Errors
    /// An object cannot be written as JSON, which none is known to do.
    pub fn write(&self, objects: &[Arc<Object>], out: &mut Vec<u8>) -> serde_json::Result<()> {
        let known: Vec<_> = {
            let kept = self.lock();
            let found = objects.iter().map(|object| kept.find(object));
            found.collect()
        };
        for (at, (object, known)) in objects.iter().zip(known).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            match known {
                Some(text) => out.extend_from_slice(&text),
                None => {
                    let from = out.len();
                    serde_json::to_writer(&mut *out, &view::object(object))?;
                    self.lock().keep(object, &out[from..]);
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn find(&self, object: &Arc<Object>) -> Option<Arc<[u8]>> {
        let (of, text) = self.texts.get(&object.id)?;
        Arc::ptr_eq(of, object).then(|| Arc::clone(text))
    }

    fn keep(&mut self, object: &Arc<Object>, text: &[u8]) {
        if text.len() > LONGEST {
            return;
        }
        if self.bytes + text.len() > KEPT_BYTES {
            *self = Self::default();
        }
        self.bytes += text.len();
        let entry = (Arc::clone(object), Arc::from(text));
        if let Some((_, before)) = self.texts.insert(object.id, entry) {
            self.bytes -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::domain::hash::Hash;
    use crate::domain::id::{Epoch, NodeId, UserId};
    use crate::domain::object::{Body, Revision};
    use crate::domain::project::Project;

    fn project(id: u128, description: &str) -> Arc<Object> {
        let creator = UserId(Uuid::from_u128(7));
        Arc::new(Object {
            id: Uuid::from_u128(id),
            home: NodeId(Uuid::nil()),
            epoch: Epoch(Uuid::nil()),
            revision: Revision {
                number: 1,
                digest: Hash([0; 32]),
            },
            deleted: false,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            body: Body::Project(Project::new("study", description, creator, &[]).unwrap()),
        })
    }

    fn written(rendered: &Rendered, objects: &[Arc<Object>]) -> Vec<Value> {
        let mut out = b"[".to_vec();
        rendered.write(objects, &mut out).unwrap();
        out.push(b']');
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn an_object_is_shown_as_it_is_now_whatever_was_kept_before() {
        let rendered = Rendered::default();
        let (one, two) = (project(1, "first"), project(2, "second"));
        let fresh = |objects: &[Arc<Object>]| written(&Rendered::default(), objects);
        let both = [one.clone(), two.clone()];
        assert_eq!(written(&rendered, &both), fresh(&both));
        assert_eq!(written(&rendered, &both), fresh(&both));
        // The same object in a state that nothing but the record tells from the one before.
        let changed = [project(1, "changed"), two];
        assert_eq!(written(&rendered, &changed)[0]["description"], "changed");
        assert_eq!(written(&rendered, &[one])[0]["description"], "first");
        assert_eq!(written(&rendered, &[]), Vec::<Value>::new());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let rendered = Rendered::default();
        let text = "x".repeat(4_000);
        for id in 0..3_000 {
            written(&rendered, &[project(id, &text)]);
        }
        let kept = rendered.lock();
        let held: usize = kept.texts.values().map(|(_, text)| text.len()).sum();
        assert_eq!(held, kept.bytes);
        assert!(held <= KEPT_BYTES);
        drop(kept);
        written(&rendered, &[project(9_999, &"y".repeat(LONGEST))]);
        assert!(!rendered.lock().texts.contains_key(&Uuid::from_u128(9_999)));
    }
}
