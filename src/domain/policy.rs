//! Input and output policies: what code may be given, and how often it may run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::AssetId;
use super::text::Invalid;

/// The most parameters of an entry point.
pub const PARAMETERS_MAX: usize = 50;
/// The longest constant, in bytes of its JSON text.
pub const CONSTANT_MAX: usize = 4 * 1024;
/// The most runs that an output policy may allow.
pub const RUNS_MAX: u32 = 1_000;

/// What one parameter of the entry point receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// An asset: its mock or its private data, as the run has it.
    Asset(AssetId),
    /// A constant, as compact JSON text. Nothing that a caller passes takes its place.
    Constant(String),
}

/// Which inputs the code receives: `exact_match`, each parameter bound to one asset or one constant and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InputPolicy {
    /// The binding of each parameter, by its name.
    pub parameters: BTreeMap<String, Binding>,
}

impl InputPolicy {
    /// Checks the bindings: names are Python identifiers, constants are JSON of bounded size.
    ///
    /// # Errors
    /// Names the parameter that is wrong.
    pub fn exact_match(parameters: BTreeMap<String, Binding>) -> Result<Self, Invalid> {
        if parameters.len() > PARAMETERS_MAX {
            return Err(Invalid::new(
                "input_policy",
                format!("at most {PARAMETERS_MAX} parameters can be bound"),
            ));
        }
        for (name, binding) in &parameters {
            let field = || format!("input_policy.{name}");
            let first_fits = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
            if !first_fits || name.len() > 100 || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return Err(Invalid::new(field(), "is not the name of a Python parameter"));
            }
            if let Binding::Constant(json) = binding {
                if json.len() > CONSTANT_MAX {
                    return Err(Invalid::new(
                        field(),
                        format!("a constant has at most {CONSTANT_MAX} bytes"),
                    ));
                }
                if serde_json::from_str::<serde_json::Value>(json).is_err() {
                    return Err(Invalid::new(field(), "a constant must be JSON"));
                }
            }
        }
        Ok(Self { parameters })
    }

    /// The assets that the code receives, each once, in the order of their ids.
    pub fn assets(&self) -> Vec<AssetId> {
        let mut assets: Vec<_> = self
            .parameters
            .values()
            .filter_map(|binding| match binding {
                Binding::Asset(asset) => Some(*asset),
                Binding::Constant(_) => None,
            })
            .collect();
        assets.sort_unstable();
        assets.dedup();
        assets
    }
}

/// How often the code may run on private data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputPolicy {
    /// One successful run, whose output every later call returns.
    SingleExecution,
    /// At most so many successful runs.
    ExecuteCount(u32),
}

/// The code may not run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the output policy allows {allowed} successful run(s), and {used} took place or are under way; \
     a further run needs new code with another policy"
)]
pub struct RunsUsedUp {
    /// How many runs the policy allows.
    pub allowed: u32,
    /// How many succeeded or are under way.
    pub used: u32,
}

impl OutputPolicy {
    /// Checks the count.
    ///
    /// # Errors
    /// The count is zero or above [`RUNS_MAX`].
    pub fn check(self) -> Result<Self, Invalid> {
        match self {
            Self::ExecuteCount(count) if !(1..=RUNS_MAX).contains(&count) => Err(Invalid::new(
                "output_policy.execute_count",
                format!("must be from 1 to {RUNS_MAX}"),
            )),
            policy => Ok(policy),
        }
    }

    /// How many successful runs the policy allows.
    pub fn runs_allowed(self) -> u32 {
        match self {
            Self::SingleExecution => 1,
            Self::ExecuteCount(count) => count,
        }
    }

    /// Whether one more run may start, with `succeeded` runs behind it and `under_way` queued or running.
    ///
    /// # Errors
    /// The runs are used up. A run under way counts, so that two at once cannot pass the limit together.
    pub fn admit(self, succeeded: u32, under_way: u32) -> Result<(), RunsUsedUp> {
        let (allowed, used) = (self.runs_allowed(), succeeded.saturating_add(under_way));
        if used < allowed {
            Ok(())
        } else {
            Err(RunsUsedUp { allowed, used })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_under_way_counts() {
        assert!(OutputPolicy::SingleExecution.admit(0, 0).is_ok());
        assert!(OutputPolicy::SingleExecution.admit(0, 1).is_err());
        assert!(OutputPolicy::ExecuteCount(3).admit(1, 1).is_ok());
        assert_eq!(
            OutputPolicy::ExecuteCount(3).admit(2, 1),
            Err(RunsUsedUp { allowed: 3, used: 3 })
        );
    }

    #[test]
    fn constants_are_json() {
        let bind =
            |json: &str| InputPolicy::exact_match([("n".to_owned(), Binding::Constant(json.into()))].into());
        assert!(bind("[1, 2.5]").is_ok());
        assert!(bind("one").is_err());
        assert!(InputPolicy::exact_match([("1n".to_owned(), Binding::Constant("1".into()))].into()).is_err());
    }
}
