class Certctl < Formula
  desc "Reconcile people's access to Kubernetes with a roster in git"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "@URL@/certctl-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "@URL@/certctl-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@URL@/certctl-@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "@URL@/certctl-@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install "certctl"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/certctl.bash" => "certctl"
    zsh_completion.install "completions/_certctl"
    fish_completion.install "completions/certctl.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/certctl --version")
  end
end
