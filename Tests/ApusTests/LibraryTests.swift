import Testing

/// The tests of the library run one after the other, because some look at all that the process holds.
@Suite(.serialized) struct LibraryTests {}
