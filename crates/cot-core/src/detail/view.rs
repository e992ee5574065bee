//! What a typed view of an element is.

use crate::xml::Element;

/// A typed view of one kind of child of `<detail>`. Implemented by this crate only.
pub trait View<'a>: sealed::Sealed + Sized {
    /// The name of the element.
    const NAME: &'static str;

    /// Reads the element. What is missing or does not mean a value of its type is `None`.
    fn read(element: &'a Element) -> Self;

    /// Writes into the element, which may hold other things; those stay.
    fn write(&self, element: &mut Element);
}

pub(super) mod sealed {
    /// Keeps [`super::View`] to this crate, so that it may grow.
    #[expect(unnameable_types, reason = "that it cannot be named is the point")]
    pub trait Sealed {}
}

/// Declares views: a struct of optional fields, each an attribute of the element.
///
/// A name behind a semicolon adds a field for the text of the element up to its first child.
macro_rules! views {
    ($(
        $(#[$doc:meta])*
        $view:ident $(<$life:lifetime>)? $element:literal {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $attribute:literal,)*
            $(; $(#[$text_doc:meta])* $text:ident)?
        }
    )*) => {$(
        $(#[$doc])*
        ///
        /// More fields may come: end literals with `..Default::default()`.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $view $(<$life>)? {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
            $($(#[$text_doc])* pub $text: Option<&'a str>,)?
        }

        impl $(<$life>)? $crate::detail::view::sealed::Sealed for $view $(<$life>)? {}

        impl<'a> View<'a> for $view $(<$life>)? {
            const NAME: &'static str = $element;

            fn read(element: &'a Element) -> Self {
                Self {
                    $($field: read_attribute(element, $attribute),)*
                    $($text: element.nodes().first().and_then(|node| node.as_text()),)?
                }
            }

            fn write(&self, element: &mut Element) {
                $(write_attribute(element, $attribute, self.$field.as_ref());)*
                $(if element.text() != self.$text.unwrap_or_default() {
                    element.set_text(self.$text.unwrap_or_default());
                })?
            }
        }
    )*};
}

pub(super) use views;
