/// Frames of physical memory, by page index (placeholder until the memory layer lands).
package final class FrameStore {}
