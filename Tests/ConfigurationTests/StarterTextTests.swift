// What is served without a configuration file.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Configuration

struct StarterTextTests {
    @Test func anExtensionAloneAnswersEveryPath() throws {
        let settings = try read(StarterText.forExtension(libraryPath: "/a b/lib\"x\\y\".so"))
        #expect(settings.extensions[0].library == "/a b/lib\"x\\y\".so")
        #expect(settings.extensions[0].threadSafe == nil)
        #expect(settings.sites[0].handlers[0].pattern == .prefix("/"))
        #expect(settings.listeners == [.tcp(host: "127.0.0.1", port: 8080)])
    }

    @Test(arguments: [
        ("/p/libhello.so", "hello"), ("/p/hello.so.1.2", "hello"), ("/lib.so", "lib"),
        ("/p/ä.so", "--"), ("/p/.so", "extension"),
    ])
    func anExtensionIsNamedAfterItsFile(path: String, name: String) {
        #expect(StarterText.name(ofLibrary: path) == name)
    }

    @Test(arguments: [false, true], [false, true])
    func aFolderIsServedWithWhatIsAskedFor(php: Bool, cgi: Bool) throws {
        let settings = try read(StarterText.forFolder("/w/\u{7F}\n w", php: php, cgi: cgi))
        let site = settings.sites[0]
        #expect(site.root == "/w/\u{7F}\n w")
        #expect(site.handlers.count == (php ? 1 : 0) + (cgi ? 1 : 0))
        #expect(settings.pools.count == (php ? 1 : 0))
    }
}
