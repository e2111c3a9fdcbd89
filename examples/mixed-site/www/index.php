<?php
// Shows a form and what arrived with the request. Everything from the client is escaped.
declare(strict_types=1);

function escaped(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/** @param array<int|string, mixed> $values */
function printRows(array $values): void
{
    foreach ($values as $name => $value) {
        $text = is_string($value) ? $value : (string) json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE);
        echo '<tr><th scope="row">', escaped((string) $name), '</th><td>', escaped($text), "</td></tr>\n";
    }
}

$file = $_FILES['file'] ?? null;
$hasFile = is_array($file) && ($file['error'] ?? null) === UPLOAD_ERR_OK;
header('Content-Type: text/html; charset=utf-8');
?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>PHP in a mixed site</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
</head>
<body>
<main>
<h1>PHP <?= escaped(PHP_VERSION) ?></h1>
<p>Answered by <code><?= escaped(PHP_SAPI) ?></code>, process <?= getmypid() ?>. <a href="/">Back to the start</a>.</p>

<h2>Send a form</h2>
<form action="/index.php" method="post" enctype="multipart/form-data">
<label for="name">Your name</label>
<input id="name" name="name" autocomplete="name">
<label for="file">A file</label>
<input id="file" name="file" type="file">
<div><button>Send</button></div>
</form>

<h2>What arrived</h2>
<table>
<caption>The request as PHP sees it</caption>
<tbody>
<?php
printRows([
    'method' => $_SERVER['REQUEST_METHOD'] ?? '',
    'script' => $_SERVER['SCRIPT_NAME'] ?? '',
    'path info' => $_SERVER['PATH_INFO'] ?? '',
    'query' => $_SERVER['QUERY_STRING'] ?? '',
]);
?>
</tbody>
</table>
<?php if ($_GET !== []): ?>
<table><caption>Query</caption><tbody>
<?php printRows($_GET); ?>
</tbody></table>
<?php endif ?>
<?php if ($_POST !== []): ?>
<table><caption>Form fields</caption><tbody>
<?php printRows($_POST); ?>
</tbody></table>
<?php endif ?>
<?php if ($hasFile): ?>
<table><caption>File</caption><tbody>
<?php
printRows([
    'name' => (string) $file['name'],
    'size' => $file['size'] . ' bytes',
    'sha256' => (string) hash_file('sha256', $file['tmp_name']),
]);
?>
</tbody></table>
<?php endif ?>
</main>
</body>
</html>
