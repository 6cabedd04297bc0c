//! Code on its way into the store: checked in its parts, then by the rule for its outline.

use crate::domain::code::Code;
use crate::domain::id::UserId;
use crate::domain::outline::{self, CodeProblem, Outline};
use crate::domain::policy::{InputPolicy, OutputPolicy};
use crate::domain::signature::SignatureBytes;
use crate::domain::text::Invalid;

/// What somebody submits.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What its author calls it.
    pub name: String,
    /// Python source.
    pub source: String,
    /// The function that a run calls.
    pub entry_point: String,
    /// What the entry point receives.
    pub input_policy: InputPolicy,
    /// How often it may run.
    pub output_policy: OutputPolicy,
    /// Its author's signature, if they sign.
    pub signature: Option<SignatureBytes>,
}

impl Submission {
    /// Checks the parts, apart from what the source says.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn code(&self, author: UserId) -> Result<Code, Invalid> {
        Code::new(
            &self.name,
            author,
            &self.source,
            &self.entry_point,
            self.input_policy.clone(),
            self.output_policy,
        )
    }
}

/// Code whose source has passed the rule. Only [`SubmittedCode::judge`] makes one.
#[derive(Debug)]
pub struct SubmittedCode {
    code: Code,
    signature: Option<SignatureBytes>,
}

impl SubmittedCode {
    /// Judges code by the outline of its source.
    ///
    /// # Errors
    /// Every line that breaks the rule.
    pub fn judge(code: Code, outline: &Outline) -> Result<Self, Vec<CodeProblem>> {
        outline::judge(&code, outline)?;
        Ok(Self {
            code,
            signature: None,
        })
    }

    /// With what its author supplied as their signature. Whether it holds is checked when the code is stored.
    #[must_use]
    pub fn signed(self, signature: Option<SignatureBytes>) -> Self {
        Self { signature, ..self }
    }

    /// The code, and the signature that was supplied with it.
    pub fn into_parts(self) -> (Code, Option<SignatureBytes>) {
        (self.code, self.signature)
    }
}
