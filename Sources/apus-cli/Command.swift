import Apus
import ArgumentParser

@main
struct Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus", abstract: "Runs Linux programs under a user-mode kernel, without privileges.")
}
