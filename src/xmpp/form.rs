//! Data forms (XEP-0004), as far as commands need them: forms to fill in, tables to read, and what was filled in.

use std::collections::BTreeMap;

use minidom::Element;
use xmpp_parsers::{
    data_forms::{DataForm, DataFormType, Field, FieldType, Option_},
    ns,
};

/// The most fields of a submitted form that are looked at. Ours have three.
const FIELDS_MOST: usize = 32;
/// The most bytes of a value. An address has 3,071 at the most.
const VALUE_MOST: usize = 4_096;

/// What somebody filled in: the first value of each field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filled(BTreeMap<String, String>);

/// A form that is larger than any of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Filled {
    /// The form in the payload of a command, where there is one. One that is canceled counts as submitted (XEP-0050
    /// section 3.5.1).
    pub(super) fn read(payload: &Element) -> Result<Option<Self>, TooLarge> {
        let Some(form) = payload.get_child("x", ns::DATA_FORMS) else { return Ok(None) };
        let mut filled = Self::default();
        for (number, field) in form.children().filter(|child| child.is("field", ns::DATA_FORMS)).enumerate() {
            let value = field.get_child("value", ns::DATA_FORMS).map(Element::text).unwrap_or_default();
            if number >= FIELDS_MOST || value.len() > VALUE_MOST {
                return Err(TooLarge);
            }
            if let Some(var) = field.attr("var") {
                filled.0.insert(var.to_owned(), value);
            }
        }
        Ok(Some(filled))
    }

    /// What was filled in, without blanks at its ends; `None` when that is nothing.
    pub(super) fn get(&self, var: &str) -> Option<&str> {
        self.0.get(var).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    #[cfg(test)]
    pub(super) fn of(fields: &[(&str, &str)]) -> Self {
        Self(fields.iter().map(|(var, value)| ((*var).to_owned(), (*value).to_owned())).collect())
    }
}

/// A form to fill in.
pub(super) fn form(title: &str, instructions: &str, fields: Vec<Field>) -> Element {
    let (title, instructions) = (Some(title.to_owned()), Some(instructions.to_owned()));
    DataForm { type_: DataFormType::Form, title, instructions, fields }.into()
}

/// A form with what was filled in, as far as it can stand there: of what is to be chosen, one of the choices.
pub(super) fn refilled(mut form: Element, filled: &Filled) -> Element {
    for field in form.children_mut().filter(|child| child.is("field", ns::DATA_FORMS)) {
        let Some(value) = field.attr("var").and_then(|var| filled.get(var)) else { continue };
        let options: Vec<_> = field.children().filter(|child| child.is("option", ns::DATA_FORMS)).collect();
        let is_value =
            |option: &&Element| option.get_child("value", ns::DATA_FORMS).is_some_and(|it| it.text() == value);
        let can_stand = match field.attr("type") {
            Some("hidden") => false,
            Some("list-single") => options.iter().any(is_value),
            // Text on one line (XEP-0004 section 3.3).
            _ => !value.contains('\n'),
        };
        if can_stand {
            let mut given = Element::bare("value", ns::DATA_FORMS);
            given.append_text(value);
            field.remove_child("value", ns::DATA_FORMS);
            field.append_child(given);
        }
    }
    form
}

/// One of these values, which are shown by their labels.
pub(super) fn choice(var: &str, label: &str, options: impl IntoIterator<Item = (String, String)>) -> Field {
    let mut field = Field::new(var, FieldType::ListSingle);
    field.options = options.into_iter().map(|(value, label)| Option_ { label: Some(label), value }).collect();
    labelled(field, label, true)
}

/// A line of text.
pub(super) fn text(var: &str, label: &str, required: bool) -> Field {
    labelled(Field::new(var, FieldType::TextSingle), label, required)
}

/// An address.
pub(super) fn address(var: &str, label: &str) -> Field {
    labelled(Field::new(var, FieldType::JidSingle), label, true)
}

/// What comes back as it is.
pub(super) fn hidden(var: &str, value: &str) -> Field {
    Field::new(var, FieldType::Hidden).with_value(value)
}

fn labelled(mut field: Field, label: &str, required: bool) -> Field {
    field.label = Some(label.to_owned());
    field.required = required;
    field
}

/// A table to read: its columns, by variable and label, and its rows (XEP-0004 section 3.4).
pub(super) fn table<const N: usize>(title: &str, columns: [(&str, &str); N], rows: Vec<[String; N]>) -> Element {
    let form = DataForm {
        type_: DataFormType::Result_,
        title: Some(title.to_owned()),
        instructions: None,
        fields: Vec::new(),
    };
    let mut table = Element::from(form);
    let mut reported = Element::bare("reported", ns::DATA_FORMS);
    for (var, label) in columns {
        reported.append_child(labelled(Field::new(var, FieldType::TextSingle), label, false).into());
    }
    table.append_child(reported);
    for row in rows {
        let mut item = Element::bare("item", ns::DATA_FORMS);
        for ((var, _), value) in columns.iter().zip(&row) {
            item.append_child(Field::text_single(var, value).into());
        }
        table.append_child(item);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &str) -> Result<Option<Filled>, TooLarge> {
        let text = format!("<command xmlns='c'><x xmlns='jabber:x:data' type='submit'>{fields}</x></command>");
        Filled::read(&text.parse().unwrap())
    }

    #[test]
    fn what_was_filled_in() {
        let filled = read(
            "<title>x</title><field var='queue'><value> law </value><value>tax</value></field><field var='reason'/>\
             <field><value>nothing</value></field><field var='empty'><value> </value></field><other xmlns='y'/>",
        );
        let filled = filled.unwrap().unwrap();
        assert_eq!(filled.get("queue"), Some("law"));
        assert_eq!((filled.get("reason"), filled.get("empty"), filled.get("other")), (None, None, None));
        assert_eq!(Filled::read(&"<command xmlns='c'/>".parse().unwrap()), Ok(None));
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert_eq!(read(&"<field var='a'/>".repeat(FIELDS_MOST)), Ok(Some(Filled::of(&[("a", "")]))));
        assert_eq!(read(&"<field var='a'/>".repeat(FIELDS_MOST + 1)), Err(TooLarge));
        let value = |length| format!("<field var='a'><value>{}</value></field>", "x".repeat(length));
        assert!(read(&value(VALUE_MOST)).is_ok());
        assert_eq!(read(&value(VALUE_MOST + 1)), Err(TooLarge));
    }
}
