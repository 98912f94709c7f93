//! Why Go's `strconv` refuses a text, in its words; it must not know what the text was to be.

use super::quote::quote;

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It has not the form.
    #[error("invalid syntax")]
    Syntax,
    /// It has the form, and its value does not fit.
    #[error("value out of range")]
    Range,
}

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strconv.{function}: parsing {}: {fault}", quote(.text))]
pub struct NumError {
    /// The function of Go's that refuses it.
    function: &'static str,
    /// The whole text.
    text: String,
    /// What is wrong with it.
    pub fault: Fault,
}

impl NumError {
    pub(super) fn new(function: &'static str, text: &str, fault: Fault) -> Self {
        Self {
            function,
            text: text.to_owned(),
            fault,
        }
    }
}
