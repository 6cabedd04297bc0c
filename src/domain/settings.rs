//! What a node knows of itself, and what its owner has set.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::id::{Epoch, NodeId, UserId};
use super::side::Side;
use super::text::{self, Invalid};

/// The node's own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Its side.
    pub side: Side,
    /// The epoch of its store.
    pub epoch: Epoch,
    /// The epoch that pairings begin in since one was revoked; else they begin in that of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing_epoch: Option<Epoch>,
    /// Hash of the one-time token that set-up asks for; gone once the node is set up.
    pub setup_token: Option<Hash>,
    /// When `init` made it.
    pub made_at: Timestamp,
}

impl Node {
    /// The epoch that its identity file names, and that a new pairing begins in.
    pub fn announced_epoch(&self) -> Epoch {
        self.pairing_epoch.unwrap_or(self.epoch)
    }

    /// Whether an owner has set the node up.
    pub fn is_set_up(&self) -> bool {
        self.setup_token.is_none()
    }
}

/// What the owner has set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How the node is called.
    pub name: String,
    /// Who runs it; may be empty.
    #[serde(default)]
    pub organization: String,
    /// What it is for, as the page for signing in says; may be empty.
    #[serde(default)]
    pub description: String,
    /// Whether scientists may register themselves.
    pub allow_registration: bool,
    /// Whether guests may browse the datasets that are visible to everybody.
    #[serde(default)]
    pub allow_guests: bool,
    /// Whether scientists may run code on mock data here.
    pub allow_mock_runs: bool,
    /// Whether everybody must have a second factor: whoever has none may add one, and do nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_second_factor: bool,
}

impl Settings {
    /// The settings of a new node: nobody registers themselves, nobody browses, nobody runs code. A second factor is not demanded:
    /// whoever sets the node up has none yet.
    ///
    /// # Errors
    /// The name is no name.
    pub fn new(name: &str) -> Result<Self, Invalid> {
        Ok(Self {
            name: text::name("name", name)?,
            organization: String::new(),
            description: String::new(),
            allow_registration: false,
            allow_guests: false,
            allow_mock_runs: false,
            require_second_factor: false,
        })
    }

    /// The value of a setting.
    pub fn value(&self, key: Key) -> Value {
        match key {
            Key::Name => Value::Text(self.name.clone()),
            Key::Organization => Value::Text(self.organization.clone()),
            Key::Description => Value::Text(self.description.clone()),
            Key::AllowRegistration => Value::Switch(self.allow_registration),
            Key::AllowGuests => Value::Switch(self.allow_guests),
            Key::AllowMockRuns => Value::Switch(self.allow_mock_runs),
            Key::RequireSecondFactor => Value::Switch(self.require_second_factor),
        }
    }

    /// Sets one.
    ///
    /// # Errors
    /// The value does not fit.
    pub fn set(&mut self, key: Key, value: &Value) -> Result<(), Invalid> {
        match (key, value) {
            (Key::Name, Value::Text(name)) => self.name = text::name("name", name)?,
            (Key::Organization, Value::Text(text)) if text.trim().is_empty() => self.organization.clear(),
            (Key::Organization, Value::Text(name)) => self.organization = text::name("organization", name)?,
            (Key::Description, Value::Text(prose)) => {
                self.description = text::prose("description", prose)?;
            }
            (Key::AllowRegistration, Value::Switch(on)) => self.allow_registration = *on,
            (Key::AllowGuests, Value::Switch(on)) => self.allow_guests = *on,
            (Key::AllowMockRuns, Value::Switch(on)) => self.allow_mock_runs = *on,
            (Key::RequireSecondFactor, Value::Switch(on)) => self.require_second_factor = *on,
            (_, Value::Text(_)) => return Err(Invalid::new(key.word(), "must be true or false")),
            (_, Value::Switch(_)) => return Err(Invalid::new(key.word(), "must be text")),
        }
        Ok(())
    }
}

/// Names a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// [`Settings::name`]
    Name,
    /// [`Settings::organization`]
    Organization,
    /// [`Settings::description`]
    Description,
    /// [`Settings::allow_registration`]
    AllowRegistration,
    /// [`Settings::allow_guests`]
    AllowGuests,
    /// [`Settings::allow_mock_runs`]
    AllowMockRuns,
    /// [`Settings::require_second_factor`]
    RequireSecondFactor,
}

/// A setting's value, in its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// Words.
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Switch(on) => write!(out, "{on}"),
            Self::Text(text) => out.write_str(text),
        }
    }
}

impl Key {
    /// Every setting, in the order in which a page shows them.
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::Organization,
        Self::Description,
        Self::AllowRegistration,
        Self::AllowGuests,
        Self::AllowMockRuns,
        Self::RequireSecondFactor,
    ];

    /// The word used in the API, in files and in the audit chain.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Organization => "organization",
            Self::Description => "description",
            Self::AllowRegistration => "allow_registration",
            Self::AllowGuests => "allow_guests",
            Self::AllowMockRuns => "allow_mock_runs",
            Self::RequireSecondFactor => "require_second_factor",
        }
    }

    /// What a page calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Name => "Name of the node",
            Self::Organization => "Organization",
            Self::Description => "Description",
            Self::AllowRegistration => "Scientists register themselves",
            Self::AllowGuests => "Guests browse",
            Self::AllowMockRuns => "Scientists run code on mock data",
            Self::RequireSecondFactor => "Everybody has a second factor",
        }
    }

    /// What it does, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Name => "How people and the paired nodes call this node.",
            Self::Organization => "Who runs the node; the page for signing in shows it to everybody.",
            Self::Description => "What the node is for; the page for signing in shows it to everybody.",
            Self::AllowRegistration => {
                "People make their own accounts, with the role User. Otherwise somebody who may create users does."
            }
            Self::AllowGuests => {
                "People without an account see the datasets that are visible to everybody, and their mocks, and nothing else."
            }
            Self::AllowMockRuns => "Scientists may try their code here, in the sandbox, on mock data.",
            Self::RequireSecondFactor => {
                "Whoever signs in without a second factor must add one before they do anything else. You need one yourself first."
            }
        }
    }

    /// Whether it takes text; otherwise it is a switch.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Name | Self::Organization | Self::Description)
    }
}

/// Who changed a setting, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Who.
    pub by: UserId,
    /// How they were called.
    pub by_name: String,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_takes_its_own_type() {
        let mut settings = Settings::new("Low").unwrap();
        for key in Key::ALL {
            let (fits, wrong) = if key.is_text() {
                (Value::Text("Other".into()), Value::Switch(true))
            } else {
                (Value::Switch(true), Value::Text("true".into()))
            };
            assert_eq!(settings.set(key, &wrong).unwrap_err().field, key.word());
            settings.set(key, &fits).unwrap();
            assert_eq!(settings.value(key), fits, "{}", key.word());
        }
    }
}
