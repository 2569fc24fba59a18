//! Lines for whoever ran the command. A reader that has gone (`omni … | head`) is no failure.

/// Prints a line of the result.
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($part)*);
    }};
}

/// Prints a line for the person at the terminal, beside the result.
macro_rules! say_err {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($part)*);
    }};
}

pub(crate) use {say, say_err};
