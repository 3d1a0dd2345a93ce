//! What is wrong with a key that no field has: mistyped, misplaced, removed, of another variant.

use super::merge::Merger;
use crate::error::{Problem, ProblemKind};
use crate::schema::meta::{Body, Group, Schema};
use crate::schema::nearest::{did_you_mean, nearest};
use crate::value::Document;

/// Unknown keys beyond this many are named without a suggestion, so that a wrong file stays cheap.
const MOST_SUGGESTIONS: usize = 100;

impl Merger<'_> {
    /// Reports a key of a section's table that no field of `group` has.
    pub(super) fn unknown(
        &mut self,
        schema: &'static Schema,
        group: &'static Group,
        doc: &Document,
        key: u32,
    ) {
        let (name, origin) = (doc.str(key), doc.origin(key));
        let path = self.path_of(name);
        if let Some((_, hint)) = schema.removed.iter().find(|(removed, _)| *removed == name) {
            let message = match *hint {
                "" => "was removed".to_owned(),
                hint => format!("was removed: {hint}"),
            };
            self.problems.push(Problem::new(ProblemKind::Removed, path, message).at(origin));
            return;
        }
        let message = match other_variant(schema, group, name) {
            Some((tag, variant)) => format!("unknown key here: it belongs to {tag} = \"{variant}\""),
            None => format!("unknown key{}", did_you_mean(self.suggestion(schema, group, name).as_deref())),
        };
        if self.policy.deny_unknown || schema.deny_unknown {
            self.problems.push(Problem::new(ProblemKind::Unknown, path, message).at(origin));
        } else {
            self.warn(ProblemKind::Unknown, path, message, origin);
        }
    }

    /// The path that was probably meant: a near name of this section, or the same name elsewhere.
    fn suggestion(&mut self, schema: &'static Schema, group: &'static Group, name: &str) -> Option<String> {
        self.suggestions += 1;
        if self.suggestions > MOST_SUGGESTIONS {
            return None;
        }
        // The very name at another place is a better guess than a near one here.
        self.root.elsewhere(name).or_else(|| {
            let known = group.fields.iter().map(|field| field.name).chain(schema.tag());
            nearest(name, known).map(|near| self.path_of(near))
        })
    }
}

/// The tag and the variant that have this key, where the present variant has not.
fn other_variant(
    schema: &'static Schema,
    group: &'static Group,
    name: &str,
) -> Option<(&'static str, &'static str)> {
    let Body::Enum { tag, variants } = &schema.body else { return None };
    let variant = variants
        .iter()
        .filter(|variant| !std::ptr::eq(&raw const variant.group, group))
        .find(|variant| variant.group.find(name, usize::MAX).is_some())?;
    Some((tag, variant.name))
}
