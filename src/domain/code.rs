//! Submitted code: source, entry point and policies; immutable, and hashed as one.

use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::UserId;
use super::policy::{InputPolicy, OutputPolicy};
use super::signature::Signature;
use super::text::{self, Invalid};

/// The longest source, in bytes. A body stays under 64 KiB, and the policies need room too.
pub const SOURCE_MAX: usize = 40 * 1024;

/// Code as it was submitted. It never changes; a new version is new code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What its author calls it; not unique.
    pub name: String,
    /// Who submitted it.
    pub author: UserId,
    /// Python source.
    pub source: String,
    /// The function that a run calls.
    pub entry_point: String,
    /// What the entry point receives.
    pub input_policy: InputPolicy,
    /// How often it may run.
    pub output_policy: OutputPolicy,
    /// Covers source, entry point and both policies; see [`code_hash`].
    pub hash: Hash,
    /// Its author's signature, if they sign; see [`Statement::of_code`](super::signature::Statement::of_code).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl Code {
    /// Makes code of its parts and hashes them. Whether the source parses and fits the policy is judged apart, from
    /// its outline.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(
        name: &str,
        author: UserId,
        source: &str,
        entry_point: &str,
        input_policy: InputPolicy,
        output_policy: OutputPolicy,
    ) -> Result<Self, Invalid> {
        if source.len() > SOURCE_MAX {
            let problem = format!("has {} bytes; at most {SOURCE_MAX} are allowed", source.len());
            return Err(Invalid::new("source", problem));
        }
        if source.contains('\0') {
            return Err(Invalid::new("source", "must not hold a NUL character"));
        }
        let entry_point = text::name("entry_point", entry_point)?;
        let output_policy = output_policy.check()?;
        let hash = code_hash(source, &entry_point, &input_policy, output_policy);
        let name = text::name("name", name)?;
        Ok(Self {
            name,
            author,
            source: source.to_owned(),
            entry_point,
            input_policy,
            output_policy,
            hash,
            signature: None,
        })
    }

    /// Whether the hash is that of the parts: a code that arrives from elsewhere must prove it.
    pub fn hash_is_true(&self) -> bool {
        self.hash
            == code_hash(
                &self.source,
                &self.entry_point,
                &self.input_policy,
                self.output_policy,
            )
    }
}

/// The hash that names code and its policies together: BLAKE3 over the parts, each preceded by its length in bytes as
/// eight little-endian bytes, so that no two lists of parts run together to the same bytes.
pub fn code_hash(source: &str, entry_point: &str, input: &InputPolicy, output: OutputPolicy) -> Hash {
    let mut bytes = Vec::with_capacity(source.len() + 256);
    parts(source, entry_point, input, output, |part| {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    });
    Hash::derive("poundlock code 1", &bytes)
}

/// Everything that decides what code does, as a list of texts in their one order: source, entry point, each parameter with
/// its binding in the order of the names' bytes, output policy. Hashes and signatures are over these.
pub(super) fn parts(
    source: &str,
    entry_point: &str,
    input: &InputPolicy,
    output: OutputPolicy,
    mut part: impl FnMut(&str),
) {
    use super::policy::Binding;
    part(source);
    part(entry_point);
    for (name, binding) in &input.parameters {
        part(name);
        match binding {
            Binding::Asset(asset) => part(&format!("asset {asset}")),
            Binding::Constant(json) => part(&format!("constant {json}")),
        }
    }
    part(&match output {
        OutputPolicy::SingleExecution => "single_execution".to_owned(),
        OutputPolicy::ExecuteCount(count) => format!("execute_count {count}"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Binding;
    use uuid::Uuid;

    fn code(source: &str, constant: &str, output: OutputPolicy) -> Code {
        let input =
            InputPolicy::exact_match([("n".to_owned(), Binding::Constant(constant.into()))].into()).unwrap();
        Code::new("means", UserId(Uuid::from_u128(1)), source, "f", input, output).unwrap()
    }

    #[test]
    fn the_hash_covers_source_and_both_policies() {
        let one = code("def f(n): ...", "1", OutputPolicy::SingleExecution);
        for other in [
            code("def f(n): pass", "1", OutputPolicy::SingleExecution),
            code("def f(n): ...", "2", OutputPolicy::SingleExecution),
            code("def f(n): ...", "1", OutputPolicy::ExecuteCount(1)),
        ] {
            assert_ne!(one.hash, other.hash);
        }
        assert!(one.hash_is_true());
        let forged = Code {
            source: "def f(n): return 1".into(),
            ..one
        };
        assert!(!forged.hash_is_true());
    }
}
