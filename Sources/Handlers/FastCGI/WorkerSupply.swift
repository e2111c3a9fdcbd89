// Who provides a pool with workers.
// SPDX-License-Identifier: Apache-2.0

package import Control

/// Who provides a pool with workers: the supervisor, through `SupervisorLink`.
package protocol WorkerSupply: Sendable {
    @discardableResult
    func send(_ message: HostMessage, descriptors: [Int32]) -> Bool
}
