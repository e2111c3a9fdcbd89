// Words an operator may have meant, and words shown back to him.
// SPDX-License-Identifier: Apache-2.0

enum Spelling {
    /// The word of `words` nearest to `word`, when it is near enough to be a slip of the finger.
    ///
    /// Long words and long lists are not searched: a hostile file would make it slow.
    static func nearest(to word: String, among words: [String]) -> String? {
        let letters = Array(word.lowercased().unicodeScalars)
        guard letters.count <= 64, words.count <= 1000 else { return nil }
        var best: (word: String, distance: Int)?
        for candidate in words {
            let other = Array(candidate.lowercased().unicodeScalars)
            let allowed = max(1, max(letters.count, other.count) / 3)
            guard other.count <= 64, abs(other.count - letters.count) <= allowed else { continue }
            let distance = distance(letters, other)
            if distance <= allowed, distance < best?.distance ?? .max {
                best = (candidate, distance)
            }
        }
        return best?.word
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two words.
    static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let cost = left[row] == right[column] ? 0 : 1
                var best = min(last[column] + cost, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1],
                    left[row - 1] == right[column]
                {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }

    /// The text in quotes, short, and without anything a terminal or a log would act upon.
    static func quoted(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars.prefix(60) {
            let isPlain = scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value)
            shown.unicodeScalars.append(isPlain ? scalar : "\u{FFFD}")
        }
        return text.unicodeScalars.count > 60 ? "'\(shown)…'" : "'\(shown)'"
    }

    /// "one of a, b, c", cut when there are many.
    static func oneOf(_ words: [String]) -> String {
        let shown = words.prefix(20).joined(separator: ", ")
        let rest = words.count > 20 ? ", …" : ""
        return words.count == 1 ? shown : "one of \(shown)\(rest)"
    }
}
