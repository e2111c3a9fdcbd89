// Which files a library's name may mean.
// SPDX-License-Identifier: Apache-2.0

extension Settings.Extension {
    /// The paths to try for the library; the first that exists is meant.
    ///
    /// A path is itself. A name is looked for in each of `directories`, as the compiler's linker would
    /// name it (`libhello.so`), then as `hello.so`; a name with an ending of its own stays as it is.
    package var candidates: [String] {
        if library.contains("/") { return [library] }
        let names = library.contains(".so") ? [library] : ["lib\(library).so", "\(library).so"]
        return directories.flatMap { folder in names.map { "\(folder)/\($0)" } }
    }
}
