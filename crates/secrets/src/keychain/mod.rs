//! The operating system's keychain: the Secret Service of a desktop, or the kernel's keyring on a machine without one.

mod fault;
mod kernel;
mod tool;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::held::{Held, VALUE_BYTES_MAX};
pub(crate) use crate::keychain::fault::KeychainFault;
use crate::keychain::tool::Tool;

/// Under which name others keep their values for us, where the configuration says no other.
pub(crate) const SERVICE: &str = "omni-mcp-hub";
/// For a keychain to answer: a locked one asks its owner, and waits for ever where nobody sits.
const DEADLINE: Duration = Duration::from_secs(4);

/// A keychain of this machine.
#[derive(Debug, Clone)]
pub struct Keychain {
    service: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    SecretService(Tool),
    Kernel,
}

impl Keychain {
    /// The keychain of whoever has these `variables`: the Secret Service where there is a session bus, else the kernel's keyring.
    #[must_use]
    pub fn of(service: &str, variables: &HashMap<String, String>) -> Self {
        let bus = variables.get("DBUS_SESSION_BUS_ADDRESS").is_some_and(|address| !address.is_empty())
            || variables.get("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(folder).join("bus").exists());
        let place = if bus { Place::SecretService(Tool::new(variables, DEADLINE)) } else { Place::Kernel };
        Self { service: service.to_owned(), place }
    }

    /// What it is, for messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.place {
            Place::SecretService(_) => "the Secret Service",
            Place::Kernel => "the kernel's keyring",
        }
    }

    /// The value of `account`. Blocks for a bounded time: for a thread that may wait.
    pub(crate) fn value(&self, account: &str) -> Result<Held, KeychainFault> {
        let bytes = match &self.place {
            Place::SecretService(tool) => tool.lookup(&self.service, account)?,
            Place::Kernel => kernel::lookup(&self.service, account)?,
        };
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(KeychainFault::Refused(format!("holds more than {VALUE_BYTES_MAX} bytes there")));
        }
        match std::str::from_utf8(&bytes) {
            Ok("") => Err(KeychainFault::Missing),
            Ok(text) => Ok(Held::wiped(Zeroizing::new(text.to_owned()))),
            Err(_) => Err(KeychainFault::Refused("holds no UTF-8 text there".to_owned())),
        }
    }

    /// Puts a value in the place of the one before. Blocks for a bounded time.
    pub(crate) fn put(&self, account: &str, value: &str) -> Result<(), KeychainFault> {
        match &self.place {
            Place::SecretService(tool) => tool.store(&self.service, account, value),
            Place::Kernel => kernel::store(&self.service, account, value),
        }
    }
}
