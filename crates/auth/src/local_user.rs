//! The local principal: the operating system's user on whose behalf the hub runs.
//!
//! Over stdio and on loopback nobody else is meant to be at the other end; the hub listens nowhere else until logins
//! are built.

use omni_types::Principal;

/// The user that runs this process.
#[must_use]
pub fn local_user() -> Principal {
    let uid = rustix::process::getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    match name_of(&passwd, uid) {
        Some(name) => Principal::local(name),
        None => Principal::local(&format!("uid-{uid}")),
    }
}

fn name_of(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn names_by_uid() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name_of(passwd, 1000), Some("ann"));
        assert_eq!(name_of(passwd, 7), None);
    }
}
