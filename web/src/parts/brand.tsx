// SPDX-License-Identifier: MIT
// brand.tsx -- the sign: a pane and its reflection.
export function Brand() {
  return (
    <svg class="brand-sign" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" class="brand-ground" />
      <path d="M14 8.5 7 12v9l7 2.5z" class="brand-pane" />
      <path d="M18 8.5 25 12v9l-7 2.5z" class="brand-image" />
      <path d="M16 6v20" class="brand-glass" />
    </svg>
  );
}
