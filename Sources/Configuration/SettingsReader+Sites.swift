// `sites:` and their hosts.
// SPDX-License-Identifier: Apache-2.0

extension SettingsReader {
    private static let hostExpected =
        "a host name without a port, such as example.test, \"*.example.test\" or \"[::1]\""

    mutating func readSites(_ value: Value) {
        let sites = value.list("a list of sites")
        if sites.isEmpty, value.isList || value.isNothing {
            value.refuse(found: "no site", expected: "a list of sites")
        }
        var names: Set<String> = []
        var hosts: [String: String] = [:]
        for (index, element) in sites.enumerated() {
            guard let site = readSite(element, number: index + 1, names: &names, hosts: &hosts)
            else {
                continue
            }
            settings.sites.append(site)
        }
    }

    /// `names` and `hosts` are those of the sites before it.
    private mutating func readSite(
        _ value: Value, number: Int, names: inout Set<String>, hosts: inout [String: String]
    ) -> Settings.Site? {
        guard let section = Section(value, expected: "a mapping with hosts, root and handlers")
        else {
            return nil
        }
        let isKnown = section.allow(["name", "hosts", "root", "index", "handlers"])
        var site = Settings.Site(name: "site-\(number)")
        if let value = section["name"], let name = readName(value, "a name") {
            site.name = name
            if !names.insert(name).inserted {
                value.refuse(found: "two sites named '\(name)'", expected: "names that differ")
            }
        }
        site.hosts = readHosts(section, site: site.name, taken: &hosts)
        if let root = section["root"]?.text("a folder") {
            site.root = Path.absolute(root, in: folder)
        }
        if let value = section["index"] { site.index = readIndex(value) }
        if let value = section["handlers"] { site.handlers = readHandlers(value, root: site.root) }
        if isKnown, section["root"] == nil, section["handlers"] == nil {
            section.place.refuse(
                found: "a site with nothing to show", expected: "a root or handlers")
        }
        return site
    }

    private func readHosts(
        _ section: Section, site: String, taken: inout [String: String]
    ) -> [String] {
        var hosts: [String] = []
        let elements = section["hosts"]?.elements("a list of host names") ?? []
        for element in elements {
            guard let text = element.text(Self.hostExpected) else { continue }
            guard let host = Names.host(text) else {
                element.refuse(expected: Self.hostExpected)
                continue
            }
            if let other = taken.updateValue(site, forKey: host) {
                element.refuse(
                    found: "\(element.shown), which site \(other) has already",
                    expected: "each host in one site")
            }
            hosts.append(host)
        }
        // No host at all is any host; the empty text stands for it among the taken ones.
        if elements.isEmpty, let other = taken.updateValue(site, forKey: "") {
            section.place.refuse(
                found: "a second site for any host after site \(other)",
                expected: "'hosts' in all sites but one")
        }
        return hosts
    }

    private func readIndex(_ value: Value) -> [String] {
        let expected = "file names such as index.html"
        return value.elements(expected).compactMap { element in
            guard let name = element.text(expected) else { return nil }
            guard !name.contains("/"), name != ".", name != ".." else {
                element.refuse(expected: expected)
                return nil
            }
            return name
        }
    }
}
