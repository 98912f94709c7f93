//! Shares compiled expressions: many subscriptions have the same few, and each takes time and memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Regexp, RegexpError};

/// Compiled expressions by their text.
#[derive(Clone, Debug, Default)]
pub struct Patterns(HashMap<String, Arc<Regexp>>);

impl Patterns {
    /// The compiled expression, compiled now if it is new.
    ///
    /// # Errors
    /// As [`Regexp::compile`].
    pub fn compile(&mut self, pattern: &str) -> Result<Arc<Regexp>, RegexpError> {
        if let Some(known) = self.0.get(pattern) {
            return Ok(known.clone());
        }
        let regexp = Arc::new(Regexp::compile(pattern)?);
        self.0.insert(pattern.to_owned(), regexp.clone());
        Ok(regexp)
    }

    /// Drops the expressions that nobody uses any more.
    pub fn forget_unused(&mut self) {
        self.0.retain(|_, regexp| Arc::strong_count(regexp) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_compiled_once_and_forgotten_with_its_last_user() {
        let mut patterns = Patterns::default();
        let first = patterns.compile("^v").unwrap();
        assert!(Arc::ptr_eq(&first, &patterns.compile("^v").unwrap()));
        patterns.forget_unused();
        assert_eq!(patterns.0.len(), 1);
        drop(first);
        patterns.forget_unused();
        assert_eq!(patterns.0.len(), 0);
        assert!(patterns.compile("(").is_err());
    }
}
