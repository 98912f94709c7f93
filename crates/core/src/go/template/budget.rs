//! Counts the work of one rendering, so that a template ends whatever it says; it must not know what the work is.

use super::{MAX_OUTPUT_BYTES, MAX_WORK};

/// What is left of [`MAX_WORK`].
pub(super) struct Budget {
    left: usize,
}

/// There is nothing left.
pub(super) const SPENT: &str = "the template asks for more than one rendering may do";

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: MAX_WORK }
    }

    /// Takes units of work.
    pub(super) fn spend(&mut self, units: usize) -> Result<(), String> {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(SPENT.to_owned())
            }
        }
    }

    /// How many bytes can be made at once.
    pub(super) fn room(&self) -> usize {
        self.left.min(MAX_OUTPUT_BYTES)
    }
}
