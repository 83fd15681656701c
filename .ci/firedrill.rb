# The Homebrew formula of a release: .ci/release fills in the version and the checksum (docs/releasing.md).
class Firedrill < Formula
  desc "SRE reliability toolkit: SLOs, alerts, game days, a service mesh"
  homepage "https://github.com/OWNER/firedrill"
  url "https://github.com/OWNER/firedrill/releases/download/v@VERSION@/firedrill-@VERSION@.tgz"
  sha256 "@SHA256@"
  license "Apache-2.0"

  depends_on "node"

  def install
    system "npm", "install", *std_npm_args
    bin.install_symlink libexec.glob("bin/*")
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/firedrill --version").strip
    (testpath/"slo.yaml").write shell_output("#{bin}/firedrill slo init --service a.b --owner team")
    assert_match "alert:", shell_output("#{bin}/firedrill slo generate -i slo.yaml -o -")
  end
end
