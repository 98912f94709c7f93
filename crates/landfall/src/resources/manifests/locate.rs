//! Finds where a field stands in the text of a YAML or JSON document; it must not know what the field means.

use std::cell::Cell;
use std::fmt;

use landfall_core::resource::Step;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Options, Spanned};

/// Where the path leads, or where the last step of it that exists does; `None` where not even the first does.
pub(super) fn locate(text: &str, options: Options, steps: &[&Step]) -> Option<Location> {
    let found = Cell::new(None);
    let seed = Locate {
        steps,
        found: &found,
        is_item: false,
    };
    // An error only means that the way ends here, which is what `found` then says.
    let _ = serde_saphyr::with_deserializer_from_str_with_options(text, options, |document| seed.deserialize(document));
    found.get()
}

/// Follows a path through a document and notes how far it got.
#[derive(Clone, Copy)]
struct Locate<'s> {
    steps: &'s [&'s Step],
    found: &'s Cell<Option<Location>>,
    /// Whether an object on the way is noted by its first key: it has no key of its own where it is the item of a list.
    is_item: bool,
}

impl<'s> Locate<'s> {
    fn deeper(self, is_item: bool) -> Locate<'s> {
        Locate {
            steps: self.steps.get(1..).unwrap_or_default(),
            is_item,
            ..self
        }
    }
}

impl<'de> DeserializeSeed<'de> for Locate<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.steps.first() {
            None if self.is_item => {
                let item = Spanned::<IgnoredAny>::deserialize(deserializer)?;
                self.found.set(Some(item.referenced));
                Ok(())
            }
            None => IgnoredAny::deserialize(deserializer).map(|_| ()),
            Some(Step::Key(_)) => deserializer.deserialize_map(self),
            Some(Step::Index(_)) => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Locate<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list on the way to a field")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            if std::mem::take(&mut self.is_item) {
                self.found.set(Some(key.referenced));
            }
            match self.steps.first() {
                Some(Step::Key(wanted)) if *wanted == key.value => {
                    self.found.set(Some(key.referenced));
                    map.next_value_seed(self.deeper(false))?;
                }
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0;
        loop {
            let more = match self.steps.first() {
                Some(Step::Index(wanted)) if *wanted == index => items.next_element_seed(self.deeper(true))?,
                _ => items.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if more.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }
}
